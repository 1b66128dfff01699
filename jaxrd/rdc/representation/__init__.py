"""What a given representation can be decoded to, and universal representations."""

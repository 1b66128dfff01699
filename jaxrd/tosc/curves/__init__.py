"""The curves of paper [A], one per file: its definition, how it is drawn, and how it changes under other weights.

To add one, write its file with a `Definition` and list it here; tables, files, intervals and figures follow.
"""

from jaxrd.tosc.curves.estimated import ESTIMATED
from jaxrd.tosc.curves.indirect import INDIRECT
from jaxrd.tosc.curves.merged import MERGED
from jaxrd.tosc.curves.model_aware import MODEL_AWARE
from jaxrd.tosc.curves.oracle import ORACLE
from jaxrd.tosc.curves.sampled import SAMPLED
from jaxrd.tosc.curves.time_sharing import TIME_SHARING

EVERY = (ORACLE, MODEL_AWARE, INDIRECT, SAMPLED, ESTIMATED, TIME_SHARING, MERGED)
"""Best to worst in the usual case."""

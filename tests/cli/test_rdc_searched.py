"""What `jaxrd rdc` says of a point whose bound stays open."""

from dataclasses import replace

import numpy as np

from jaxrd import Problem, Status
from jaxrd.cli.rdc_report import report
from jaxrd.documents.rdc import Classified
from jaxrd.rdc import lifted_rate


def test_what_was_searched_stands_beside_what_is_proved(capsys):
    problem, labels = Problem(np.array([0.7, 0.3]), 1 - np.eye(2)), np.array([[0.9, 0.1], [0.1, 0.9]])
    closed = lifted_rate(problem, labels, 0.2, 0.55)
    open_ = replace(closed, lower=0.5 * np.log(2), status=Status.MAX_STEPS, ascents=7, conjectured=0.75 * np.log(2))
    at = [((0.2, 0.79), closed), ((0.2, 0.8), open_)]
    found = Classified("it", "lifted", 1, {}, [], None, at, [], None, [], None, None)
    searched = [{"distortion": 0.2, "classification_bits": 0.8, "ascents": 7, "conjectured_bits": 0.75}]
    assert found.document({})["searched"] == searched
    report(found, "2 x 2")
    line = "(0.2, 0.8): 0.750000 bit at least if one of 7 ascents met the best atom, which is not proved"
    assert line in " ".join(capsys.readouterr().out.split())

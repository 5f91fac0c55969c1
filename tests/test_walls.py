"""The map of the walls agrees with the solvers, the equations and itself."""

from __future__ import annotations

import pytest

from mlsysim.core.errors import BadArgument, UnknownName
from mlsysim.solvers import SOLVERS
from mlsysim.walls import DOMAINS, TERMS, WALLS, bending, in_domain, wall

each = pytest.mark.parametrize("one", WALLS, ids=lambda w: f"{w.number}-{w.name}")


def test_there_are_22_walls_numbered_in_order_with_names_of_their_own():
    assert [one.number for one in WALLS] == list(range(1, 23))
    assert len({one.name for one in WALLS}) == 22


@each
def test_every_equation_exists_and_names_its_source(one):
    assert one.functions
    assert all("Source:" in function.__doc__ for function in one.functions)
    assert one.sources


@each
def test_every_solver_of_a_wall_says_that_it_answers_for_it(one):
    assert one.models
    assert all(one.number in model.walls for model in one.models)


def test_every_solver_has_its_place_on_the_map():
    assert {name for one in WALLS for name in one.solvers} == set(SOLVERS)


def test_domains_follow_each_other_in_the_order_of_the_table():
    domains = [one.domain for one in WALLS]
    assert list(dict.fromkeys(domains)) == list(DOMAINS)
    assert domains == sorted(domains, key=DOMAINS.index)
    assert [len(in_domain(domain)) for domain in DOMAINS] == [7, 3, 3, 3, 4, 2]


def test_fifteen_walls_bend_a_term_and_seven_cut_across():
    assert {one.number for one in bending(None)} == {7, 10, 17, 18, 20, 21, 22}
    assert {term: [one.number for one in bending(term)] for term in TERMS} == {
        "FLOPs": [11, 12, 13],
        "N": [14, 15, 16],
        "Peak": [1, 2, 6],
        "MFU": [3, 4, 5],
        "Goodput": [8, 9, 19],
    }


def test_a_wall_is_found_by_number_and_by_name():
    assert wall(4) is wall("serving")
    with pytest.raises(UnknownName, match="Memory"):
        wall("Memry")
    for bad in (0, 23, True, 1.5, None):
        with pytest.raises(BadArgument):
            wall(bad)


def test_unknown_domains_and_terms_are_refused():
    with pytest.raises(UnknownName):
        in_domain("Nodes")
    with pytest.raises(UnknownName):
        bending("FLOPS")

"""The same histories drawn by hypothesis, which shrinks them, and by a seed, which is faster."""

from random import Random

from hypothesis import strategies as st

from tests.controller.qos.traffic import Drawn, Step

_MODEL = st.tuples(
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from((0, 3, 10, 1000)),
    st.sampled_from((5, 20)),
    st.integers(0, 1),
    st.sampled_from((1, 3)),
)
_PODS = st.lists(st.sampled_from((1, 2, 3, 4, -2)), min_size=0, max_size=2).map(tuple)


def partitions(models: int) -> st.SearchStrategy[tuple[tuple[int, tuple[tuple[int, ...], ...]], ...]]:
    one = st.tuples(st.sampled_from((0, 2, 3, 5)), st.lists(_PODS, min_size=models, max_size=models).map(tuple))
    return st.lists(one, min_size=1, max_size=3).map(tuple)


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    models = draw(st.lists(_MODEL, min_size=1, max_size=4).map(tuple))
    return Drawn(
        models,
        draw(partitions(len(models))),
        draw(st.sampled_from((2, 4, 16))),
        draw(st.booleans()),
        draw(st.booleans()),
    )


STEPS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 999)), max_size=120
)


def by_seed(seed: int, length: int = 150) -> tuple[list[Drawn], list[Step]]:
    """Some settings and steps, the same ones for the same seed."""
    random = Random(seed)
    steps = [(random.randrange(100), *(random.randrange(1000) for _ in range(3))) for _ in range(length)]
    return [_drawn(random) for _ in range(3)], [(what, a, b, c) for what, a, b, c in steps]


def _drawn(random: Random) -> Drawn:
    count = random.randint(1, 4)
    models = tuple(
        (
            random.randrange(4),
            random.choice((0, 0, 1, 2, 3)),
            random.choice((0, 0, 1, 3)),
            random.choice((0, 3, 10, 1000)),
            random.choice((5, 20)),
            random.choice((0, 0, 1)),
            random.choice((1, 3)),
        )
        for _ in range(count)
    )
    parts = tuple(
        (
            random.choice((0, 2, 3, 5)),
            tuple(
                tuple(random.choice((1, 2, 3, 4, 4, -2)) for _ in range(random.choice((0, 1, 1, 1, 2))))
                for _ in range(count)
            ),
        )
        for _ in range(random.randint(1, 3))
    )
    return Drawn(models, parts, random.choice((2, 4, 16)), random.random() < 0.3, random.random() < 0.2)

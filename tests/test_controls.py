"""What moves and how: content and motion apart, walks, speeds, mixes of classes, directions."""

import numpy as np
import pytest
from test_sampling import generator_of, looks

from vidgan.errors import RequestError
from vidgan.sampling.choose import Choice, choose_takes, parse_directions, parse_mix, parse_sweep
from vidgan.sampling.directions import NUM_EACH, find_directions
from vidgan.sampling.latents import parse_seeds
from vidgan.sampling.looks import look_vector
from vidgan.sampling.performance import Performance
from vidgan.sampling.render import generate
from vidgan.sampling.take import Look, Motion, Take, seed_take


@pytest.fixture(scope="module")
def loaded():
    return generator_of()


def signals(loaded, take, num_frames=16):
    """Style [style, frames or 1] and signal [steps, motion_dim, 4] that the network is given."""
    style, signal = Performance(loaded, take).steered(0, num_frames)
    return style.numpy(), signal.numpy().reshape(len(signal), -1, 4)


def chosen(loaded, takes=(), **wishes):
    return choose_takes(loaded, Choice(**wishes), takes)


def test_content_decides_the_look_and_motion_the_motion(loaded):
    one, other_motion, other_content = (
        signals(loaded, Take(looks=looks(content), motion=Motion(seed=motion), num_frames=8, hold=True))
        for content, motion in ((5, 9), (5, 8), (4, 9))
    )
    assert np.array_equal(one[0], other_motion[0])
    assert np.array_equal(one[1][..., 2:], other_motion[1][..., 2:])
    assert not np.array_equal(one[1][..., :2], other_motion[1][..., :2])
    assert np.array_equal(one[1][..., :2], other_content[1][..., :2])
    assert not np.array_equal(one[0], other_content[0])
    assert not np.array_equal(one[1][..., 2:], other_content[1][..., 2:])


def test_a_look_that_is_held_stays_and_one_that_is_not_drifts(loaded):
    held = signals(loaded, Take(looks=looks(5), motion=Motion(seed=9), num_frames=8, hold=True))[1]
    assert (held[..., 2:] == held[:1, :, 2:]).all()
    drifting = signals(loaded, Take(looks=looks(5), motion=Motion(seed=9), num_frames=8))[1]
    assert (drifting[..., 2:] != drifting[:1, :, 2:]).any()
    assert np.array_equal(held[..., :2], drifting[..., :2])


def test_at_half_the_speed_every_second_step_is_a_step_of_the_take(loaded):
    take = seed_take(loaded, 3)
    slow = take.model_copy(update={"speed": 0.5})
    first, _ = loaded.generator.signal_window(0, 64)
    whole, half = signals(loaded, take, 64)[1], signals(loaded, slow, 64)[1]
    steps = np.arange(first, first + len(half))
    for index in np.flatnonzero((steps % 2 == 0) & (steps // 2 >= first)):
        assert np.array_equal(half[index], whole[steps[index] // 2 - first])
    quick = signals(loaded, take.model_copy(update={"speed": 2.0}), 16)[1]
    assert np.square(np.diff(half[..., 1:], axis=0)).mean() < np.square(np.diff(whole[..., 1:], axis=0)).mean()
    assert np.square(np.diff(whole[..., 1:], axis=0)).mean() < np.square(np.diff(quick[..., 1:], axis=0)).mean()


@pytest.mark.parametrize("ease", ["linear", "smooth"])
def test_a_walk_begins_and_ends_at_its_looks_and_is_evenly_between_them_halfway(loaded, ease):
    take = Take(looks=looks(3, 17, 42), motion=Motion(), num_frames=9, hold=True, ease=ease)
    path = Performance(loaded, take).path
    vectors = [look_vector(loaded, look).astype(np.float32) for look in take.looks]
    style_dim = loaded.generator.style_dim
    for frame, vector in zip((0, 4, 8), vectors, strict=True):
        assert np.array_equal(path.style(frame, frame + 1)[:, 0].numpy(), vector[:style_dim])
        assert np.allclose(path.slow_part(frame).ravel(), vector[style_dim:])
    assert np.allclose(path.style(2, 3)[:, 0], (vectors[0] + vectors[1])[:style_dim] / 2, atol=1e-6)
    first_step = np.abs(path.style(1, 2)[:, 0].numpy() - vectors[0][:style_dim]).mean()
    even = np.abs(vectors[1] - vectors[0])[:style_dim].mean() / 4
    assert first_step == pytest.approx(even if ease == "linear" else even * 4 * (3 / 16 - 2 / 64), rel=1e-3)


def test_a_walk_that_is_a_loop_comes_back_to_its_first_look(loaded):
    path = Performance(loaded, Take(looks=looks(3, 17), motion=Motion(), num_frames=8, loop=8)).path
    styles = path.style(0, 17).numpy()
    assert np.array_equal(styles[:, :8], styles[:, 8:16])
    assert np.allclose(styles[:, 2], styles[:, 6])
    assert np.array_equal(styles[:, 0], styles[:, 16])


def test_a_walk_that_is_rendered_longer_stays_at_its_end(loaded):
    walk = chosen(loaded, walk=[3, 17], settings={"num_frames": 8})[0].take
    longer = chosen(loaded, [walk], settings={"num_frames": 20})[0].take
    assert np.array_equal(generate(loaded, [longer])[0][:8], generate(loaded, [walk])[0])
    path = Performance(loaded, longer).path
    assert np.array_equal(path.style(7, 8), path.style(19, 20))


def test_a_mix_of_classes_lies_between_them_and_truncation_between_a_look_and_the_mean(loaded):
    fire, walk, mixed = (
        look_vector(loaded, Look(seed=4, classes=classes))
        for classes in ({"fire": 2.0}, {"walk": 1.0}, {"fire": 3.0, "walk": 1.0})
    )
    assert np.allclose(mixed, 0.75 * fire + 0.25 * walk)
    assert not np.allclose(fire, walk)
    means = [look_vector(loaded, Look(seed=seed, classes={"fire": 1.0}), truncation=0.0) for seed in (4, 5)]
    assert np.array_equal(*means)
    half = look_vector(loaded, Look(seed=4, classes={"fire": 1.0}), truncation=0.5)
    assert np.allclose(half, (means[0] + fire) / 2)


def test_directions_are_the_same_whenever_they_are_found_and_change_the_picture(loaded):
    found = find_directions(loaded)
    assert [direction.number for direction in found] == list(range(1, 2 * NUM_EACH + 1))
    shares = [direction.share for direction in found]
    for kind in (shares[:NUM_EACH], shares[NUM_EACH:]):
        assert kind == sorted(kind, reverse=True)
        assert 0 < sum(kind) <= 1
    again = find_directions(generator_of.__wrapped__())
    for one, other in zip(found, again, strict=True):
        assert np.allclose(one.vector, other.vector)
    take = seed_take(loaded, 3)
    plain, stepped = generate(loaded, [take, take.model_copy(update={"directions": ((1, 2.0),)})])
    assert not np.array_equal(plain, stepped)


def test_the_first_direction_changes_pictures_more_than_a_random_one(loaded):
    random = np.random.default_rng(0)
    takes = [seed_take(loaded, seed).model_copy(update={"hold": True, "num_frames": 1}) for seed in range(16)]
    plain = np.stack(generate(loaded, takes)).astype(float)

    def change(step):
        coded = [
            take.model_copy(update={"looks": (Look(code=tuple(look_vector(loaded, take.looks[0]) + step)),)})
            for take in takes
        ]
        return np.square(np.stack(generate(loaded, coded)) - plain).mean()

    found = find_directions(loaded)
    length = np.linalg.norm(found[0].vector)
    others = [random.normal(size=len(found[0].vector)) for _ in range(8)]
    typical = np.mean([change(3 * length * other / np.linalg.norm(other)) for other in others])
    assert change(3 * found[0].vector) > typical
    assert change(3 * found[NUM_EACH].vector) > typical


def test_what_is_chosen_is_every_seed_in_every_class_pairs_or_a_grid(loaded):
    def seeds(**wishes):
        return [
            (next(iter(each.take.looks[0].classes)), each.take.looks[0].seed, each.take.motion.seed)
            for each in chosen(loaded, **wishes)
        ]

    assert seeds(seeds=[5, 6], labels=[1, 0]) == [
        ("walk", 5, 5),
        ("walk", 6, 6),
        ("fire", 5, 5),
        ("fire", 6, 6),
    ]
    assert seeds(content=[5], motion=[9], labels=[0]) == [("fire", 5, 9)]
    assert seeds(content=[2, 4], motion=[7], labels=[0]) == [("fire", 2, 7), ("fire", 4, 7)]
    assert seeds(content=[2, 4], motion=[7, 8], grid=True) == [
        ("fire", 2, 7),
        ("fire", 2, 8),
        ("fire", 4, 7),
        ("fire", 4, 8),
    ]
    assert not chosen(loaded, seeds=[1])[0].take.hold
    assert chosen(loaded, content=[1], motion=[1])[0].take.hold
    assert not chosen(loaded, content=[1], motion=[1], hold=False)[0].take.hold


def test_names_say_how_takes_differ_and_are_never_the_same(loaded):
    names = [each.name for each in chosen(loaded, seeds=[7, 7], labels=[0], settings={"speed": 0.5}, loop=True)]
    assert names == ["fire_seed0007_loop8_speed0.5", "fire_seed0007_loop8_speed0.5_2"]
    assert chosen(loaded, walk=[3, 17], mix={"fire": 0.25, "walk": 0.75})[0].name == (
        "fire0.25-walk0.75_walk3-17_motion0003"
    )
    assert chosen(loaded, content=[5], motion=[9])[0].name == "walk_content0005_motion0009"


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"grid": True, "content": [1]}, "--grid needs both"),
        ({"content": [1, 2], "motion": [1, 2, 3]}, "2 seeds of content and 3 of motion are no pairs"),
        ({"walk": [1], "content": [2]}, "--walk says the content by itself"),
        ({"mix": {"fire": 1.0}, "labels": [0]}, "--class mixes classes"),
        ({"settings": {"speed": 0.0}}, "speed is 0.0: Input should be greater than 0"),
        ({"settings": {"ease": "bouncy"}}, "ease is 'bouncy': Input should be 'linear' or 'smooth'"),
    ],
)
def test_wishes_that_cannot_be_are_refused_in_words(loaded, wishes, words):
    with pytest.raises(RequestError, match=words):
        chosen(loaded, **wishes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loop": 1}, "a loop of 1 frames is shorter than the network's period of 2 frames; make it 2 or a multiple"),
        ({"loop": 9}, "a loop of 9 frames does not hold whole periods .* make it 8 or 10"),
        ({"directions": ((17, 1.0),)}, "direction 17 is unknown \\(there are 1 to 16: `vidgan directions`\\)"),
        ({"looks": (Look(classes={"wlak": 1.0}),)}, 'unknown class "wlak" \\(did you mean "walk"\\?\\)'),
        ({"looks": (Look(),)}, "a look without a class \\(these weights know fire, walk\\)"),
        ({"looks": (Look(code=(1.0, 2.0)),)}, "a look's code has 2 numbers"),
        ({"motion": Motion(codes=((1.0,),))}, "a code of motion has 1 numbers"),
    ],
)
def test_a_take_that_the_generator_cannot_make_is_refused_in_words(loaded, settings, words):
    with pytest.raises(RequestError, match=words):
        generate(loaded, [seed_take(loaded, 1).model_copy(update=settings)])


def test_options_are_read_and_mistakes_in_them_named(loaded):
    assert parse_directions(["3:+2.0", "12:-1"]) == ((3, 2.0), (12, -1.0))
    assert parse_sweep("truncation=0.4:1.0:4") == ("truncation", [0.4, 0.6, 0.8, 1.0])
    assert parse_sweep("direction.3=-2:2:3") == ("direction.3", [-2.0, 0.0, 2.0])
    assert parse_mix("walk:0.7, fire:0.3", loaded.provenance) == {"walk": 0.7, "fire": 0.3}
    for parse, text, words in (
        (lambda text: parse_directions([text]), "3", "is no step along a direction"),
        (lambda text: parse_directions([text]), "3:lots", 'the amount is "lots" \\(expected a number\\)'),
        (parse_sweep, "truncation", "expected setting=first:last:count"),
        (parse_sweep, "size=1:2:3", '"size" cannot be swept'),
        (parse_sweep, "speed=1:2:1", "1 variants \\(expected 2 to 16\\)"),
        (lambda text: parse_mix(text, loaded.provenance), "wlak:0.7", 'did you mean "walk"'),
        (lambda text: parse_mix(text, loaded.provenance), "walk:0", "not all 0"),
        (lambda text: parse_seeds(text, "--walk"), "3-1", "--walk 3-1: 3-1 runs backwards"),
    ):
        with pytest.raises(RequestError, match=words):
            parse(text)

"""The page's KPIs are written as prometheus_client writes them, byte for byte."""

from build import MINUTE, NOON, call, lead
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from published import at_noon, round_of
from threads import at_once

from streams.serving.exposition import gauges, name_of, series_of
from streams.serving.profile import Profile
from streams.serving.table import Row, Snapshot

METRICS = ("leadbeat_calls", "leadbeat_calls_by_rep", "leadbeat_b", "leadbeat_a")
ANY_TEXT = st.text() | st.sampled_from(["", "\\", '"', "\n", "\\n", 'a"b\\', "{a=b}", "\ufffd", "💜"])
LABELS = st.dictionaries(st.sampled_from(("window", "rep", "team", "sla_percent")), ANY_TEXT)
NUMBERS = st.one_of(
    *(st.floats(), st.integers(-(10**18), 10**18).map(float)),
    st.sampled_from([0.0, -0.0, 1e6, 999_999.0, 1_000_000.5, 1e15, 1e16, 1e22, 1e-5, 1e-7, 1234567.0, 10.0, 100000.0]),
)


class Families:
    """The collector that makes the same of prometheus_client's own objects."""

    def __init__(self, helps, series):
        self._families = {metric: Metric(metric, text, "gauge") for metric, text in helps.items()}
        for name, value, _ in series:
            self._families[name.metric].add_sample(name.metric, dict(name.labels), value)

    def collect(self):
        return (family for family in self._families.values() if family.samples)


def same(helps, series):
    return gauges(helps, series).encode() == generate_latest(Families(helps, series))


@given(
    helps=st.fixed_dictionaries(dict.fromkeys(METRICS, ANY_TEXT)),
    series=st.lists(st.builds(series_of, st.builds(name_of, st.sampled_from(METRICS), LABELS), NUMBERS), max_size=20),
)
def test_any_series_are_written_as_prometheus_client_does(helps, series):
    assert same(helps, series)


KEYS = ("calls", "emails", "reply_ratio", "oldest_lead_waiting", "sla_warnings{sla_percent=50}", "nothing_known")
SLICES = st.tuples(st.sampled_from(("rep", "team", "channel", "campaign")), st.text(st.characters(exclude_categories=())))
ROWS = st.dictionaries(
    st.builds(lambda key, slice_: f"{key}|{'='.join(slice_)}" if slice_ else key, st.sampled_from(KEYS), st.none() | SLICES),
    st.builds(
        Row, st.none() | NUMBERS, st.integers(0, 10**15), st.none() | st.integers(0, 10**15), st.just("ok"), st.integers(1, 9)
    ),
    max_size=12,
)


@given(
    rounds=st.lists(
        st.tuples(st.dictionaries(st.sampled_from(("1h", "90d", "now")), ROWS), st.frozensets(st.text(), max_size=3)),
        min_size=1,
        max_size=4,
    ),
    most=st.sampled_from((0, 3, 50_000)),
)
def test_what_was_shown_before_does_not_show(rounds, most):
    profile = Profile(("1h",), most)
    for rows, reps in rounds:
        snapshot = Snapshot(round_of({"rep": reps}), rows)
        shown = profile.show(snapshot)
        assert len(shown.series) <= most
        assert told(shown) == told(Profile(("1h",), most).show(snapshot))
        assert same(profile.helps, shown.series)


def told(shown):
    return sorted(series.line for series in shown.series), shown.dropped


def test_a_page_is_right_while_several_are_made_at_once():
    """What was written before is kept beside the rows; two scrapes over a change of rounds must not mix theirs up."""
    profile = Profile(("1h",), 50_000)
    rounds = [at_noon(*(call(f"c{number}", NOON - MINUTE) for number in range(count))) for count in (1, 2)]
    shown = at_once(profile.show, rounds * 20)
    expected = [told(Profile(("1h",), 50_000).show(snapshot)) for snapshot in rounds]
    assert [told(each) for each in shown] == expected * 20


def test_a_whole_round_is_written_as_prometheus_client_does():
    events = [lead(created_at=NOON - 3 * MINUTE, owner="ana"), call("c1", NOON - MINUTE, rep="stranger")]
    for most in (50_000, 700):
        profile = Profile(("1h", "24h"), most)
        series = profile.show(at_noon(*events)).series
        assert len(series) > 600
        assert same(profile.helps, series)

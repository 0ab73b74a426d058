"""Whose an id is: no two subjects of whatever kind, connection or name have the same one."""

from hypothesis import given
from hypothesis import strategies as st

from models.state.subjects import identity, kind_of

SUBJECTS = st.tuples(
    st.sampled_from(("lead", "account", "rep", "campaign")),
    st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True),
    st.text("ab:/crm", min_size=1, max_size=6),
)


@given(SUBJECTS, SUBJECTS)
def test_an_id_says_of_which_kind_it_is_and_is_nobody_else_s(one, other):
    assert kind_of(identity(*one)) == one[0]
    assert (identity(*one) == identity(*other)) == (one == other)


def test_a_lead_goes_by_its_connection_and_its_id():
    assert identity("lead", "crm", "4711") == "crm:4711"
    assert identity("account", "crm", "a1") == "account/crm:a1"

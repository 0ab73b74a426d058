"""`companies_responded`: what accounts hear from their leads."""

import build
import pytest
from build import DAY, HOUR, MINUTE, NOON
from build_subjects import ACCOUNT, account
from engine import Engine

from models.state.absorption import given
from models.state.responses import tells_of_replies

OTHER = "account/crm:a2"


def lead(of, *replies, owner="ana", account="a1", **fields):
    """A lead of an account, and when it replied."""
    own = build.lead(of=of, created_at=NOON - DAY, owner=owner, owner_at=NOON - DAY, account=account, **fields)
    return [own, *(build.reply(f"r{number}", at=at, of=of) for number, at in enumerate(replies))]


def responded(*events, at=NOON + HOUR, by=""):
    engine = Engine().take(*events).tick(at)
    return engine.cell(f"companies_responded{by}", "24h").value


def test_however_many_leads_and_replies_a_company_counts_once():
    assert responded(*lead("crm:1", NOON, NOON + MINUTE), *lead("crm:2", NOON)) == 1
    assert responded(*lead("crm:1", NOON), *lead("crm:2", NOON, account="a2"), *lead("crm:3", account="a3")) == 2


def test_a_company_is_one_of_the_same_crm():
    assert responded(*lead("crm:1", NOON), *lead("other:2", NOON)) == 2


def test_a_company_counts_in_windows_that_its_last_reply_is_in():
    told = lead("crm:1", NOON, NOON + 20 * MINUTE)
    assert responded(*told, at=NOON + DAY + 10 * MINUTE) == 1
    assert responded(*told, at=NOON + DAY + 30 * MINUTE) == 0


def test_a_reply_that_is_to_come_does_not_count_yet():
    engine = Engine().take(*lead("crm:1", NOON + HOUR)).tick(NOON)
    assert engine.cell("companies_responded", "24h").value == 0
    assert engine.tick(NOON + 2 * HOUR).cell("companies_responded", "24h").value == 1


def test_it_counts_once_for_each_rep_whose_lead_replied_and_else_for_the_owner_of_the_account():
    told = [*lead("crm:1", NOON, NOON + MINUTE), *lead("crm:2", NOON, owner="ben"), *lead("crm:3", NOON, owner=None)]
    told += [account(of=ACCOUNT, owner="cleo", owner_at=NOON - DAY)]
    assert {rep: responded(*told, by=f"|rep={rep}") for rep in ("ana", "ben", "cleo")} == {"ana": 1, "ben": 1, "cleo": 1}
    assert responded(*told) == 1


def test_the_owner_is_that_of_the_instant():
    told = [*lead("crm:1", NOON - HOUR), build.lead(of="crm:1", owner="ben", owner_at=NOON)]
    assert responded(*told, by="|rep=ana") == 1
    early = [build.lead(of="crm:1", owner="ana", owner_at=NOON, account="a1"), build.reply("r1", at=NOON - HOUR, of="crm:1")]
    assert responded(*early, by="|rep=unassigned") == 1


@pytest.mark.parametrize("kind", ["out_of_office", "bounce", "unsubscribe"])
def test_only_a_person_responds(kind):
    told = [*lead("crm:1"), build.reply("r1", at=NOON, kind=kind, of="crm:1"), build.reply("r2", at=None, of="crm:1")]
    assert responded(*told) == 0
    assert responded(*told, build.reply("r3", at=NOON, kind="human", of="crm:1")) == 1


def test_what_the_crm_does_afterwards_is_followed():
    told = lead("crm:1", NOON)
    later = {"changed_at": NOON + HOUR}
    assert responded(*told, build.deleted("reply:r0", of="crm:1", **later)) == 0
    assert responded(*told, build.deleted(of="crm:1", **later)) == 0
    assert responded(*told, build.erased(of="crm:1")) == 0
    assert responded(*told, build.erased(of=ACCOUNT)) == 0
    assert responded(*told, build.deleted(of=ACCOUNT, **later)) == 0
    assert responded(*told, build.deleted(of=ACCOUNT), build.restored(of=ACCOUNT, **later)) == 1
    assert responded(*told, build.lead(of="crm:1", account=None, **later)) == 0


def test_a_lead_that_moves_to_another_company_takes_its_replies_along():
    told = [*lead("crm:1", NOON), *lead("crm:2", NOON)]
    assert responded(*told, build.lead(of="crm:1", account="a2", changed_at=NOON + HOUR)) == 2
    assert responded(*told, *(build.lead(of=of, account="a2", changed_at=NOON + HOUR) for of in ("crm:1", "crm:2"))) == 1


def test_merged_leads_and_merged_accounts_are_one():
    told = [*lead("crm:1", NOON), *lead("crm:2", NOON, account="a2")]
    assert responded(*told, build.merged("crm:2", of="crm:1")) == 1
    assert responded(*told, build.merged(OTHER, of=ACCOUNT)) == 1
    assert responded(*told, build.merged(OTHER, of=ACCOUNT), build.merged(None, of=ACCOUNT, changed_at=NOON + HOUR)) == 2


def test_leads_merged_in_a_circle_tell_the_account_once():
    told = [*lead("crm:1", NOON), *lead("crm:2", NOON + MINUTE)]
    circle = [build.merged("crm:2", of="crm:1"), build.merged("crm:1", of="crm:2")]
    engine = Engine().take(*told).take(*circle).tick(NOON + HOUR)
    assert engine.cell("companies_responded", "24h").value == 1
    assert len(engine.leads[ACCOUNT].absorbed) == 2  # of the other nothing is left but that it tells nothing
    assert sum(bool(portion.lead) for portion in engine.leads[ACCOUNT].absorbed.values()) == 1


def test_an_account_tells_nobody_and_only_replies_and_the_lead_itself_matter():
    assert not given(build.folded(account(of=ACCOUNT)), ACCOUNT)
    assert [tells_of_replies(key) for key in (None, "reply:1", "touch:1", "meeting:1")] == [True, True, False, False]

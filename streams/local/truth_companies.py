"""The oracle's reading of what accounts hear from their leads: which companies responded, and to whom."""

from collections.abc import Iterable, Iterator

from streams.local.truth_accounts import Reading, account_of
from streams.local.truth_facts import Owned, Rules, standing_of
from streams.local.truth_ledger import Dims
from streams.local.truth_record import Json, Record, isoformat


def responded(events: Iterable[Json], rules: Rules, known_until: int) -> Iterator[list[tuple[int, Dims]]]:
    """Of each account when one of its leads replied, and in which slices that counts; what is to come is left out."""
    events = list(events)
    heard = [reply for lead, history in standing_of(events, "lead").items() for reply in _heard(lead, Record(history))]
    for history in standing_of([*events, *heard], "account").values():
        record = Record(history)
        reading = Reading(account_of(record), rules, known_until)
        replies = [reply for reply in record.objects("heard") if reply["at"] <= known_until]
        yield [(reply["at"], reading.usual(reply["at"], reply["rep"])) for reply in replies]


def _heard(lead: str, record: Record) -> Iterator[Json]:
    """The replies of persons, as if they were told of the account that the lead belongs to."""
    account = record.head.get("account")
    if account is None:
        return
    crm = lead.split(":", maxsplit=1)[0] + ":" if ":" in lead else ""
    owned = Owned(owners=record.timeline("owner"))
    for reply in record.objects("reply"):
        if reply.get("at") is not None and reply.get("kind") in {None, "human"}:
            yield {
                "type": "heard.upserted",
                "timestamp": isoformat(0),
                "subject": {"kind": "account", "id": f"account/{crm}{account}"},
                "object": {"kind": "heard", "id": f"{lead} {reply['id']}"},
                "data": {"at": isoformat(reply["at"]), "rep": owned.owner(reply["at"])},
            }

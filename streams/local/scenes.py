"""What happens to leads, in which order and how often."""

from models.units import DAY, HOUR, MINUTE, SECOND
from streams.local.floor import Rep
from streams.local.selling import nurture, sell, spot
from streams.local.stories import LIVELY, Data, Story

ORIGINS = {
    "inbound": ("webinar", "referral", "paid search", "contact form", "trade fair", "chat"),
    "outbound": ("cold list", "event list", "lookalikes"),
}
REGIONS = ("DACH", "Nordics", "UK & Ireland", "Benelux", "Iberia")
SEGMENTS = ("smb", "smb", "smb", "mid-market", "mid-market", "enterprise")
CAMPAIGNS = ("autumn launch", "pricing guide", "security week")
SENTIMENTS = (("positive", 34), ("neutral", 24), ("negative", 22), (None, 20))
MIX = {"call": 55, "email": 30, "message": 15}

ERASED, DELETED, UNDELETED = 7, 11, 51
"""Of every hundred leads the ones that ask to be forgotten, are deleted, and are deleted by mistake and restored."""

FOUND_AFTER_DAYS = 12
"""A lead that was forgotten longer ago has been found and answered since."""

MISTAKES = {"outcome": 4, "twice": 1.5, "channel": 1.5, "rep": 2, "deleted": 1.5, "undeleted": 1, "none": 88.5}
"""What is wrong with touches, in percent."""

QUARTER_HOUR = 15 * MINUTE


def life(story: Story) -> None:
    """A lead's whole life, from its creation on."""
    source = story.rng.choices(["inbound", "outbound", "partner", None], [66, 29, 3, 2])[0]
    segment = story.rng.choice(SEGMENTS)
    data: Data = {
        "lead_source": source,
        "origin": story.rng.choice(ORIGINS.get(source or "", ("unknown list",))),
        "sales_region": story.rng.choice(REGIONS),
        "segment": segment,
    }
    if story.chance(0.3):
        data["campaign"] = story.rng.choice(CAMPAIGNS)
    team = {"outbound": "Outbound"}.get(source or "", "Enterprise" if segment == "enterprise" else "Inbound")
    rep = story.rng.choice(story.office.on_team(team, story.created_at))
    at = prospecting(story, data, rep) if source == "outbound" else inbound(story, data, rep)
    if story.owner and story.chance(0.25):
        at = come_back(story, at + story.later(2 * DAY), story.owner)
    corrections(story)
    ends(story, at)


# --- beginnings ------------------------------------------------------------------------------------------------------


def inbound(story: Story, data: Data, rep: Rep) -> int:
    """Somebody asks; an auto-reply goes out; the lead is routed to a rep, who answers sooner or later, or never."""
    if story.chance(0.3):
        data["owner"] = rep.name
        story.owner = rep
    at = story.create(data)
    if story.chance(0.4):
        story.send(at + story.soon(3 * SECOND), delivered=story.chance(0.95))
    if story.owner is None:
        if forgotten(story, 0.04):
            return at
        at = story.assign(at + story.soon(30 * SECOND), rep)
    if story.chance(0.08):
        story.inquire(at + story.soon(2 * MINUTE))
    if not story.chance(rep.diligence):
        if forgotten(story, 0.5):
            return at
        at += story.later(6 * HOUR) + story.soon(20 * MINUTE)
    slower = 1.6 if story.office.is_weekend(at) else 1
    return pursue(story, story.working(at) + story.soon(rep.reaction_ms * slower), rep)


def prospecting(story: Story, data: Data, rep: Rep) -> int:
    """A rep puts a prospect on a sequence: automated e-mails, with calls and messages in between."""
    story.owner = rep
    story.create(data | {"owner": rep.name, "account": f"account-{story.number // 3}"})
    at = story.created_at + story.soon(40 * SECOND)
    for step in range(story.rng.randint(1, 4)):
        delivered = not story.chance(0.07)
        at = story.send(at, delivered=delivered) + story.later((step + 1) * DAY)
        if not delivered or story.chance(0.1):
            break
    first_at = story.working(story.created_at) + story.soon(12 * MINUTE)
    return pursue(story, first_at, rep)


def come_back(story: Story, at: int, rep: Rep) -> int:
    """A lead that was answered asks again, and is answered again, mostly."""
    story.inquire(at)
    if forgotten(story, 1 - rep.diligence):
        return at
    at = story.working(at) + story.soon(rep.reaction_ms)
    return talk(story, at, rep)[0]


def forgotten(story: Story, share: float) -> bool:
    """Whether nobody cares for the lead, as happens to this share of the recent ones."""
    return story.chance(share) and story.office.days_ago(story.created_at) <= FOUND_AFTER_DAYS


# --- the middle ------------------------------------------------------------------------------------------------------


def talk(story: Story, at: int, rep: Rep) -> tuple[int, bool]:
    """One attempt on some channel; when it was recorded, and whether a call connected."""
    channel = story.rng.choices(list(MIX), list(MIX.values()))[0]
    connected = channel == "call" and story.chance(rep.reach)
    return story.touch(at, channel, connected=connected), connected


def pursue(story: Story, at: int, rep: Rep) -> int:
    """Attempts, until the lead is reached, says no, or the rep gives up."""
    for _ in range(story.rng.randint(4, 9)):
        at, connected = talk(story, at, rep)
        if connected:
            return engaged(story, at, rep)
        if story.chance(0.3):
            at += story.later(5 * HOUR) + story.soon(MINUTE)
            answer = hear(story, at)
            if answer == "positive":
                return engaged(story, at + story.soon(rep.reaction_ms), rep)
            if answer in {"negative", "unsubscribe", "bounce"}:
                return give_up(story, at)
        at = story.working(at + story.soon(5 * MINUTE) + story.later(12 * HOUR))
    return give_up(story, at)


def hear(story: Story, at: int) -> str | None:
    """Something comes back; what it says."""
    kind = story.rng.choices(["human", "out_of_office", "bounce", "unsubscribe"], [80, 9, 4, 7])[0]
    if kind != "human":
        story.reply(at, kind, channel="email")
        return kind
    sentiment = story.rng.choices([name for name, _ in SENTIMENTS], [weight for _, weight in SENTIMENTS])[0]
    story.reply(at, kind, sentiment=sentiment)
    return sentiment


def give_up(story: Story, at: int) -> int:
    """The rep lets go; some say so in the CRM."""
    nurture(story, at)
    return story.enter(at + story.later(4 * HOUR), "disqualified") if story.chance(0.4) else at


def engaged(story: Story, at: int, rep: Rep) -> int:
    """The lead listens: it is qualified, writes, and may take a meeting."""
    at = story.enter(at + story.soon(MINUTE), "mql")
    for _ in range(story.rng.randint(1, 5)):
        at = story.touch(story.working(at + story.soon(8 * MINUTE)), story.rng.choice(["email", "message"]))
        if story.chance(0.5):
            at += story.later(3 * HOUR) + story.soon(2 * MINUTE)
            hear(story, at)
    if not story.chance(0.6):
        return give_up(story, at)
    at = story.working(at + story.soon(3 * MINUTE))
    return appointment(story, at, rep, "demo" if story.chance(0.25) else "intro")


def appointment(story: Story, at: int, rep: Rep, kind: str) -> int:
    """A meeting is booked, perhaps moved, and held, missed, cancelled or forgotten."""
    scheduled_at = slot(story, at)
    meeting = story.book(at, scheduled_at, kind, by_lead=story.chance(0.25))
    if story.chance(0.8):
        story.enter(at + story.soon(MINUTE), "sal")
    if story.chance(0.15):
        moved_at = at + story.rng.randrange(max(scheduled_at - at, 1))
        scheduled_at = slot(story, scheduled_at)
        story.move(moved_at, meeting, scheduled_at)
    if story.chance(0.1):
        return story.mark(at + story.rng.randrange(max(scheduled_at - at, 1)), meeting, "cancelled")
    over_at = scheduled_at + story.soon(30 * MINUTE if story.tempo is not LIVELY else 2 * MINUTE)
    if not story.chance(rep.order):
        return over_at
    return outcome(story, over_at, rep, meeting, kind)


def slot(story: Story, after: int) -> int:
    """When a meeting is to be: some time later, at a full quarter of an hour where life is not hurried."""
    at = after + story.soon(12 * MINUTE) + story.later(2 * DAY)
    if story.tempo is LIVELY:
        return at
    return story.working(at) // QUARTER_HOUR * QUARTER_HOUR + QUARTER_HOUR


def outcome(story: Story, at: int, rep: Rep, meeting: str, kind: str) -> int:
    """How a meeting went; now and then it is marked wrong at first."""
    held = story.chance(0.78)
    if story.chance(0.06):
        story.mark(at, meeting, "no_show" if held else "held")
        at += story.soon(10 * MINUTE)
        if story.chance(0.5):
            at = story.mark(at, meeting, None) + story.soon(MINUTE)
    at = story.mark(at, meeting, "held" if held else "no_show")
    if not held:
        at = story.touch(story.working(at + story.soon(10 * MINUTE)), "email")
        return appointment(story, at + story.soon(20 * MINUTE), rep, kind) if story.chance(0.4) else at
    at = story.enter(at + story.soon(4 * MINUTE), "sql")
    if kind == "intro" and story.chance(0.6):
        return appointment(story, story.working(at + story.soon(20 * MINUTE)), rep, "demo")
    at = story.enter(at + story.later(DAY), "opportunity")
    closed_at, won = at + story.later(5 * DAY), story.chance(0.35)
    sell(story, at, closed_at, won=won)
    return story.enter(closed_at, "customer" if won else "disqualified")


# --- second thoughts -------------------------------------------------------------------------------------------------


def corrections(story: Story) -> None:
    """What was recorded wrong is put right."""
    by_person = [touch for touch in story.touches if not touch.automated]
    for touch in story.touches:
        at = touch.at + 5 * SECOND + story.later(4 * HOUR)
        mistake = story.rng.choices(list(MISTAKES), list(MISTAKES.values()))[0]
        if mistake == "outcome" and touch.channel == "call":
            story.change(at, touch, {"connected": story.chance(0.5)})
        elif mistake == "twice":
            story.change(at, touch, {"connected": True})
            story.change(at, touch, {"connected": False})
        elif mistake == "channel":
            story.change(at, touch, {"channel": "message"}, 1)
            story.change(at, touch, {"channel": touch.channel}, 2)
        elif mistake == "rep":
            story.change(at, touch, {"rep": story.rng.choice([None, *[rep.name for rep in story.office.reps]])})
        elif mistake == "deleted" and touch not in by_person[-1:]:
            story.remove(at, "touch", touch.id)
        elif mistake == "undeleted":
            story.remove(at, "touch", touch.id, restored_after=story.later(HOUR))
    if story.owner and story.chance(0.08):
        hand_over(story)


def hand_over(story: Story) -> None:
    """Somebody else becomes the owner, often as of a while ago, or nobody; the rep who began goes on nevertheless."""
    at = story.created_at + story.soon(15 * MINUTE) + story.later(DAY)
    if story.chance(0.1):
        story.say("lead.upserted", at, {"owner": None})
        return
    rep = story.rng.choice(story.office.on_team("Inbound", at))
    since = max(story.created_at, at - story.rng.randrange(10 * MINUTE))
    data: Data = {"owner": rep.name, "owner_at": story.instant(since)}
    story.say("lead.upserted", at, data)


def ends(story: Story, at: int) -> None:
    """A few leads are erased, deleted, or deleted by mistake; by number, so that every history has some."""
    number = story.number % 100
    if number == ERASED:
        story.erase(at + story.later(HOUR))
    elif number == DELETED:
        story.delete(story.created_at + story.soon(10 * MINUTE) + story.later(4 * HOUR))
    elif number == UNDELETED:
        story.delete(story.created_at + story.soon(5 * MINUTE), restored_after=story.soon(20 * MINUTE))


# --- one more thing, now ---------------------------------------------------------------------------------------------


def glimpse(story: Story, at: int) -> None:
    """Something small happens to a lead that is there already, and now and then something big."""
    spot(story, at)
    rep = story.owner
    if rep is None:
        rep = story.rng.choice(story.office.on_team("Inbound", at))
        story.assign(at, rep)
        at += story.soon(20 * SECOND)
    what = story.rng.choices(["talk", "hear", "meet", "ask", "fix"], [60, 16, 8, 8, 8])[0]
    if what == "talk":
        talk(story, at, rep)
    elif what == "hear":
        hear(story, at)
    elif what == "meet":
        appointment(story, at, rep, "demo" if story.chance(0.3) else "intro")
    elif what == "ask":
        come_back(story, at, rep)
    else:
        fix(story, at)


def fix(story: Story, at: int) -> None:
    """A rep puts the latest call right, or else the lead's stage."""
    calls = [touch for touch in story.touches if touch.channel == "call" and touch.at <= at]
    if calls:
        story.change(at, calls[-1], {"connected": story.chance(0.7)})
    else:
        story.enter(at, "mql")

"""The seam lives on internals of Faust and aiokafka, whose versions are pinned: this tells what to look at when a pin moves."""

import inspect

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState, TopicPartitionState
from faust import App
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from streams.transport.consumer import BatchConsumer, BatchTransport
from streams.transport.thread import BatchThread

SET_IN_INIT = {
    AIOKafkaConsumer: {"_client", "_fetch_max_wait_ms", "_subscription", "_coordinator", "_fetcher"},
    AIOKafkaClient: {"_conns"},
    Fetcher: {"_fetch_task"},
    GroupCoordinator: {"_rejoin_needed_fut", "_heartbeat_task", "_coordination_task"},
    SubscriptionState: {"_fetch_count"},
    TopicPartitionState: {"highwater"},
    BaseConsumer: {"_read_offset", "can_resume_flow", "callback"},
}
"""Attributes that we read or set, by the class whose constructor makes them."""

CALLED = {
    AIOKafkaConsumer: {"seek", "beginning_offsets", "end_offsets", "committed", "commit", "assignment"},
    Fetcher: {"fetched_records"},
    GroupCoordinator: {"check_errors"},
    SubscriptionState: {"fetch_context", "subscription"},
    Assignment: {"state_value"},
    AIOKafkaConsumerThread: {"_ensure_consumer", "getmany"},
    Consumer: {"stop_flow"},
    App: {"start", "stop", "wait_until_stopped"},
}
"""What we call, by class."""

REPLACED = {
    BatchConsumer: {
        *("_new_consumer_thread", "_to_message", "_wait_next_records", "_getmany", "highwater"),
        *("perform_seek", "seek_to_committed", "on_partitions_assigned", "on_partitions_revoked", "wait_empty"),
        *("commit", "verify_event_path", "close"),
    },
    BatchThread: {"__post_init__", "_create_worker_consumer", "_fetch_records"},
    BatchTransport: {"Consumer"},
}
"""What Faust calls and we have replaced: under another name it would be Faust's own again, without a sound."""


def pairs(names):
    return [pytest.param(owner, name, id=f"{owner.__name__}.{name}") for owner in names for name in sorted(names[owner])]


@pytest.mark.parametrize(("owner", "name"), pairs(SET_IN_INIT))
def test_an_attribute_is_made_where_we_look_for_it(owner, name):
    assert f"self.{name} = " in inspect.getsource(owner.__init__) or f"self.{name}: " in inspect.getsource(owner)


@pytest.mark.parametrize(("owner", "name"), pairs(CALLED))
def test_what_we_call_is_there(owner, name):
    assert hasattr(owner, name)


@pytest.mark.parametrize(("ours", "name"), pairs(REPLACED))
def test_what_we_replace_is_still_faust_s(ours, name):
    theirs = getattr(ours.__mro__[1], name)
    if name != "Consumer":
        assert accepts(getattr(ours, name)) >= accepts(theirs)


def accepts(function):
    """The names of a function's parameters; a function that takes any options takes those of Faust's as well."""
    parameters = inspect.signature(function).parameters.values()
    anything = {name.name for name in parameters if name.kind is name.VAR_KEYWORD}
    return {parameter.name for parameter in parameters} | ({"timeout", "max_records"} if anything else set())


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (AIOKafkaConsumerThread._fetch_records, "fetch_context"),
        (AIOKafkaConsumerThread._fetch_records, "fetched_records"),
        (AIOKafkaConsumerThread._create_worker_consumer, "max_poll_records=conf.broker_max_poll_records"),
        (BaseConsumer.getmany, "self._wait_next_records"),
        (BaseConsumer._drain_messages, "get_read_offset = self._read_offset.__getitem__"),
        (BaseConsumer._drain_messages, "set_read_offset = self._read_offset.__setitem__"),
        (BaseConsumer.on_partitions_revoked, "_on_partitions_revoked"),
        (Transport.create_consumer, "self.Consumer(self"),
        (App._stop_consumer, "_consumer_wait_empty"),
        (App._consumer_wait_empty, "consumer.wait_empty()"),
        (AIOKafkaConsumer.start, "fetch_max_wait_ms=self._fetch_max_wait_ms"),
    ],
)
def test_faust_comes_by_our_hooks(where, what):
    assert what in inspect.getsource(where)

"""The broker's settings, shared by those who send and those who work.

One Celery application, configured the same in every process. Task functions are registered by the
worker alone; the others send by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twinlens.errors import BrokerError, ConfigError
from twinlens.messages import (
    QUEUE_COMMIT,
    QUEUE_EMBED,
    QUEUE_QUERY,
    TASK_COMMIT,
    TASK_EMBED,
    TASK_QUERY,
)

if TYPE_CHECKING:
    from celery import Celery

VISIBILITY_SECONDS = 600
"""Longer than any batch can take; a shorter one runs a slow task many times (faults.md). The
ledger's leases, not this, are what brings lost work back."""


def make_app(url: str) -> Celery:
    """Return the Celery application for a Redis broker.

    Raises ConfigError for a broker that is not Redis: ``filesystem://`` and SQL transports lose the
    message in flight when a worker is killed (faults.md).
    """
    if _scheme(url) not in ("redis", "rediss", "redis+socket"):
        raise ConfigError(
            f"config 'broker' has value '{masked(url)}'. Use redis://host:port/number."
        )
    try:
        from celery import Celery
    except ImportError:
        raise ConfigError(
            "a broker is set, but Celery is not installed. Run: pip install 'twinlens[redis]'"
        ) from None
    app = Celery("twinlens", broker=url, backend=url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],  # a pickle message is refused, never loaded
        task_serializer="json",
        result_serializer="json",
        result_accept_content=["json"],
        task_ignore_result=True,
        result_expires=60,
        task_acks_late=True,
        # The ledger counts; a message whose worker died need not loop through the broker.
        task_reject_on_worker_lost=False,
        worker_prefetch_multiplier=1,
        task_create_missing_queues=True,
        task_default_queue=QUEUE_EMBED,
        task_routes={
            TASK_EMBED: {"queue": QUEUE_EMBED},
            TASK_COMMIT: {"queue": QUEUE_COMMIT},
            TASK_QUERY: {"queue": QUEUE_QUERY},
        },
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=5,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_SECONDS,
            # Look for unacknowledged messages often: 12 s instead of 102 s (faults.md).
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 15,
            # Who sends is told at once: the next tick tries again. The default blocks it for 6 s.
            "max_retries": 0,
        },
        # Who asks is told at once as well. The default tries for 20 s, and says so in the terminal.
        result_backend_transport_options={"retry_policy": {"max_retries": 0}},
        redis_socket_timeout=30,
        redis_socket_connect_timeout=5,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        enable_utc=True,
    )
    return app


def send(app: Celery, task: str, body: object) -> None:
    """Send one task by name. Raises BrokerError at once where Redis is away or full."""
    try:
        app.send_task(task, args=[body], retry=False, ignore_result=True)
    except Exception as error:
        raise BrokerError(_refused(app, error)) from error


def waiting(app: Celery, queue: str) -> int:
    """Return how many messages wait in a queue. Raises BrokerError."""
    try:
        with app.connection_for_write() as connection:
            channel = connection.default_channel
            return int(channel.client.llen(queue))
    except Exception as error:
        raise BrokerError(_refused(app, error)) from error


def masked(url: str) -> str:
    """Return a broker address fit for a message: without its password."""
    account, at, address = url.rpartition("@")
    user, colon, _ = account.partition("://")[2].partition(":")
    if not at or not colon:
        return url
    return f"{account.partition('://')[0]}://{user}:***@{address}"


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def _refused(app: Celery, error: Exception) -> str:
    return (
        f"{masked(str(app.conf.broker_url))}: the broker does not take messages ({error})."
        " Photos are recorded and will be sent when it does."
    )

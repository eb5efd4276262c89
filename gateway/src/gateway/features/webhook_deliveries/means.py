"""What senders share."""

from dataclasses import dataclass

from crm_kit.db.session import Database
from crm_kit.http.outbound import OutboundPool
from crm_kit.http.sealing import Sealer

from gateway.settings import GatewaySettings
from gateway.upstream import ServiceClient


@dataclass(frozen=True, slots=True)
class Means:
    """What senders work with."""

    database: Database
    services: ServiceClient
    pool: OutboundPool
    seal: Sealer
    settings: GatewaySettings

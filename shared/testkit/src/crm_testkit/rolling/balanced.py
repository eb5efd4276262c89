"""A stack before whose every service stands a balancer."""

import asyncio
from typing import Any

from crm_local.configuration import PROCESSES, Configuration

from crm_testkit.chaos.stack import ChaosStack
from crm_testkit.rolling.balancer import Balancer


class BalancedStack(ChaosStack):
    """Clients, and the gateway, reach what answers HTTP through them alone. `settings` and `options`: as of ChaosStack."""

    def __init__(self, configuration: Configuration, *settings: Any, **options: Any) -> None:
        super().__init__(configuration, *settings, fast=True, **options)
        self.balancers = {name: Balancer(self.ports[name]) for name in PROCESSES}
        self.links |= {"clients" if name == "gateway" else name: each for name, each in self.balancers.items()}

    @property
    def urls(self) -> dict[str, str]:
        """The gateway's is that of all its processes; each service's that of the one which was started first."""
        return {**super().urls, "gateway": self.public_url}

    async def start(self) -> None:
        await super().start()
        await asyncio.gather(*(self.balancers[name].until_ready(self.ports[name]) for name in PROCESSES))

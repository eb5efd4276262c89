"""Renders the chart with a Deployment for each role, runs all of it, plays the demo, tells what memory it took."""

import sys

from crm_delivery import render
from crm_delivery.confined.cluster import Failed, NotPossible, running
from crm_delivery.confined.images import BuildFailed
from crm_delivery.confined.play import demo_values, play
from crm_delivery.objects import read


def main(people: int) -> str | None:
    """None, or in one sentence why it did not go."""
    try:
        objects = read(render.render(render.find_helm(), *demo_values()))
        with running(objects) as cluster:
            sys.stdout.write(f"The event log is {'Apache Kafka' if cluster.is_on_kafka else 'in PostgreSQL'}.\n")
            failure = play(cluster, people)
            for name, pod in cluster.pods.items():
                sys.stdout.write(
                    f"{name}: {pod.resident_memory() >> 20} MiB resident, {pod.peak_memory() >> 20} MiB at most\n"
                )
            return failure
    except (render.HelmMissing, NotPossible, BuildFailed, Failed, ValueError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))

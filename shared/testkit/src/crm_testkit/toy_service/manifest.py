"""The toy service's manifest; tests add consumers and timers of their own to it."""

from pathlib import Path

from crm_kit.manifest import Feature, Manifest

from crm_testkit.toy_service.notes import METADATA, NOTE_EVENTS, router


def toy_manifest(*features: Feature) -> Manifest:
    """The toy service with these features besides its notes."""
    return Manifest(
        name="toy",
        package="crm_testkit.toy_service",
        title="Toy",
        summary="Notes",
        metadata=METADATA,
        migrations=Path(__file__).parent / "migrations",
        features=(Feature(router=router), *features),
        publishes=(NOTE_EVENTS,),
    )


MANIFEST = toy_manifest()

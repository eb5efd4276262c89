"""What tests run on Java, out of Maven's central repository: Apache Kafka, an OpenID Connect provider."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POM = Path(__file__).parent / "kafka" / "pom.xml"


class KafkaUnavailable(RuntimeError):
    """No broker could be had; the message says what was tried."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock for the length of the block, against other processes."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_java() -> str:
    """Java, 17 or newer."""
    java = shutil.which("java")
    if java is None:
        raise KafkaUnavailable("there is no Java")
    text = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', text)
    if version is None or int(version[1]) < 17:
        raise KafkaUnavailable("Java is older than 17")
    return java


def resolve_classpath(pom: Path = POM) -> str:
    """The jars of a pom, Kafka's by default, resolved once per version of it into `.cache/kafka` of the checkout."""
    cache = _cache_folder()
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    cached = cache / f"{digest}.classpath"
    with locked(cache / "lock"):
        if cached.exists() and all(Path(jar).exists() for jar in cached.read_text().split(os.pathsep)):
            return cached.read_text()
        maven = shutil.which("mvn")
        if maven is None:
            raise KafkaUnavailable("there is no Maven")
        made = subprocess.run(
            [maven, "-q", "-B", "-f", str(pom), "dependency:build-classpath", f"-Dmdep.outputFile={cached}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0 or not cached.exists():
            raise KafkaUnavailable(f"Maven could not fetch what {pom.parent.name} needs: {made.stdout.strip()[-300:]}")
        return cached.read_text()


def _cache_folder() -> Path:
    for parent in POM.parents:
        if (parent / "requirements.lock").exists():
            folder = parent / ".cache" / "kafka"
            break
    else:
        folder = Path.home() / ".cache" / "relata" / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

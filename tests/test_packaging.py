import configparser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_listed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    rooms = ("attacks", "benchmarks", "compressors", "models", "results")
    folders = {p.parent for room in rooms for p in (ROOT / room).rglob("__init__.py")}
    found = {"compleak", *(".".join(("compleak", *f.relative_to(ROOT).parts)) for f in folders)}
    assert listed == found


def test_tensorflow_is_imported_only_where_it_may_be() -> None:
    allowed = (ROOT / "compressors" / "tflite", ROOT / "models" / "keras_twins")
    for room in ("attacks", "benchmarks", "compressors", "models", "results"):
        for path in (ROOT / room).rglob("*.py"):
            if not any(folder in path.parents for folder in allowed):
                for line in path.read_text().splitlines():
                    assert not line.strip().startswith(("import tensorflow", "import tf_keras", "from tensorflow")), (
                        path
                    )
            assert "tf.keras" not in path.read_text().replace("tf.keras import", ""), path


def test_rooms_depend_one_way() -> None:
    forbidden = {
        "models": ("compressors", "attacks", "results", "benchmarks"),
        "compressors": ("attacks", "results", "benchmarks"),
        "attacks": ("models", "compressors", "results", "benchmarks"),
        "results": ("models", "compressors", "attacks", "benchmarks"),
    }
    for room, others in forbidden.items():
        for path in (ROOT / room).rglob("*.py"):
            depth = len(path.relative_to(ROOT).parts)
            up = "." * depth
            for line in path.read_text().splitlines():
                for other in others:
                    assert f"from {up}{other}" not in line, (path, line)

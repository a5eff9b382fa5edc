"""The OASIS validator as an oracle, in process: what `stix2_validator --strict` would say."""

import uuid
from typing import Any

from stix2validator import ValidationOptions, validate_instance


def strict_faults(objects: list[dict[str, Any]]) -> list[str]:
    """Errors of strict mode (warnings count) on the bundle of these objects."""
    bundle = {"type": "bundle", "id": f"bundle--{uuid.UUID(int=7, version=4)}", "objects": objects}
    results = validate_instance(bundle, ValidationOptions(strict=True, version="2.1"))
    return [str(error) for error in [*results.errors, *results.warnings]]

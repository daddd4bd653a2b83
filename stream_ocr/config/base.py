"""Base class and shared types of all groups of settings."""

from pydantic import BaseModel, BeforeValidator, ConfigDict


class ConfigModel(BaseModel):
    """A group of settings: frozen, refuses unknown names and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _yaml_off(value: object) -> object:
    return "off" if value is False else value


OFF = BeforeValidator(_yaml_off)
"""Accept ``off`` unquoted: YAML 1.1 reads it as False."""

"""What all tables of a settings file share, and the kinds of number in them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
RATE_LIMIT = 3e38  # of learning: optimisers hold it in float32
Rate = Annotated[float, Field(gt=0, lt=RATE_LIMIT, allow_inf_nan=False)]
Decay = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A table of the file: no unknown keys, no conversions, no changes."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

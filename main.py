"""What Functions Framework and buildpacks look for: functions-framework --target=handle."""

from function import handle as handle

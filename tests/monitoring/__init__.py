"""The dashboard and the rules of overlays/monitoring, and a real Prometheus to ask them of."""

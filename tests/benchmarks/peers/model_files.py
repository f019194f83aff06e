"""Reads the scikit-learn object out of an MLflow model folder without importing mlflow."""

from pathlib import Path


def load_pipeline(folder: Path):
    """The scikit-learn object in an MLflow model folder, in whichever of MLflow's formats it was
    written.
    """
    if (file := folder / "model.skops").exists():
        import skops.io

        return skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    import cloudpickle

    with (folder / "model.pkl").open("rb") as file:
        return cloudpickle.load(file)

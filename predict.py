"""Find the faces in photos: `python predict.py holiday/ --out boxed/`.

The command itself is visavis/commands/predict.py; `visavis predict` is the same.
"""

from visavis.commands import launch

if __name__ == "__main__":
    launch("predict")

from visavis.commands.predict import Options, predict

__all__ = ["Options", "predict"]

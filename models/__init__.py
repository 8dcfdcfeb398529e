"""The shipped classifier and the scripts that made it.

`rosette.tflite` and its sidecar `rosette.json` are what a field unit reads; everything else in
this folder is for training, quantising and measuring, and is never installed on a unit.
"""

"""Keras runs on torch here; another backend may be chosen by KERAS_BACKEND."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

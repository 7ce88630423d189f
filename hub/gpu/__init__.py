"""Devices, the shares they are divided into, and where a share is placed."""

"""Tingjian: real-time inspection of every call of a call centre."""

"""A module that is sent before anybody asks for it."""
VALUE = 11

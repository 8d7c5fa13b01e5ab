"""Keys and foreign keys: how names fit, what the values allow, and the choice between what they allow."""

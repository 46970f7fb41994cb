//! Partner Zones.

"""The STIX objects we hold: indicator, sighting, incident, identity; validity and markings."""

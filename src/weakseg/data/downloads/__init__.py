"""Public data sets from their official addresses: fetched with resume, checked, unpacked."""

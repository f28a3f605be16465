#!/bin/sh
# Whether the simulator notices when one of the guards is taken away; it prints a line per guard.
exec "$GW_SIM" --plants

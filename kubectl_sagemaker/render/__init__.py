"""Pure: an event as a line; jobs as a table or JSON. Nothing here makes a call."""

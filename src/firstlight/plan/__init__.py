"""Every decision of a fit, with its reason, as data: once it is made nothing looks at the rows to decide."""

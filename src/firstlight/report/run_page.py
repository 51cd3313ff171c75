def run_page(run, rows):
    return ""

def script_of(predictor, evaluation, folder): return ""

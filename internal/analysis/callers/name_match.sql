SELECT presented_name, name_norm, institution_id, alias FROM name_found ORDER BY presented_name

SELECT presented_name, role, institution_id AS resembles, alias FROM hint_found ORDER BY presented_name

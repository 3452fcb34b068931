-- The lane of a job whose hash names none, which most do not: to name it would cost each new job a twentieth more.
-- rosq/store/keys.py has the same.
local MAIN_LANE = 'main'

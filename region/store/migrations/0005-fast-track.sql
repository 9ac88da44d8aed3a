-- Fast track: agents that were told to stay and keep asking for work.
ALTER TABLE agent_sessions ADD COLUMN asked timestamptz;   -- when one that was told to stay asked for work last; null: not since it was told
CREATE INDEX agent_sessions_waiting ON agent_sessions (system_id) WHERE closing = 'stay';

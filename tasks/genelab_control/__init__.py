"""The control suite's tasks, as two suites define them: dm_control's and MuJoCo Playground's."""

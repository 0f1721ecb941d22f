"""What the simulator answers: rules over the messages it received, and nothing else. No answer is stored anywhere."""

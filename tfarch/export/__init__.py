"""From a trained model to files that ship: TFLite with its vocabulary and labels inside, SavedModel with its tokeniser inside, and the bundle."""

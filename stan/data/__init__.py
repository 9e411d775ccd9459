"""Files in, batches out: video decoding, sampling, transforms, data set readers, the embedded world, the loader."""

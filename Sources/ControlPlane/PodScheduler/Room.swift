// PodScheduler

// StorageControllers

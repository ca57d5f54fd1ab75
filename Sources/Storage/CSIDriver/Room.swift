// CSIDriver

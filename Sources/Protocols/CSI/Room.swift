// CSI

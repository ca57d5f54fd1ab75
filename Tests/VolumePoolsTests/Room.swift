// VolumePools

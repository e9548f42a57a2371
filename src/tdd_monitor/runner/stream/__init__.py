"""The socket that receives the plugin's lines."""
